#pragma once
// hiredis uses `struct timeval` without including its header.
#include <sys/time.h>
#include <hiredis/hiredis.h>
