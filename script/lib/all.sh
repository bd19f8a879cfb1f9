# shellcheck shell=bash
# All files of this folder, each after the ones that it needs.
# shellcheck source=script/lib/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
# shellcheck source=script/lib/packages.sh
source "$root/script/lib/packages.sh"
# shellcheck source=script/lib/build.sh
source "$root/script/lib/build.sh"
# shellcheck source=script/lib/services.sh
source "$root/script/lib/services.sh"
# shellcheck source=script/lib/python.sh
source "$root/script/lib/python.sh"
