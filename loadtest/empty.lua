-- wrk's side of the comparison: the same kind of request, answered by nothing.
wrk.method = "POST"
wrk.body = '{"fingerprint":"machine-1","app_version":"1.0"}'
wrk.headers["Authorization"] = "License lsk_load0000000001"
