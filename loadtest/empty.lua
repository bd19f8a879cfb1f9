-- The requests of the comparison for wrk: the same kind of request, to a route that does nothing.
wrk.method = "POST"
wrk.body = '{"fingerprint":"machine-1","app_version":"1.0"}'
wrk.headers["Authorization"] = "License lsk_load0000000001"
