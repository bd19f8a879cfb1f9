-- The requests of loadtest/scale for wrk: one use of one feature of a random license, each with its own id.
local licenses = tonumber(os.getenv("LICENSES"))
local usable = { 0, 1, 2, 4, 5, 6, 9 }
local used = 0

function init(args)
  math.randomseed(os.time())
  run = string.format("%d-%d", os.time(), math.random(1000000000))
end

function request()
  local n = math.random(0, licenses / 10 - 1) * 10 + usable[math.random(#usable)]
  used = used + 1
  local id = run .. "-" .. used
  wrk.headers["Authorization"] = string.format("License lsk_load%010d", n)
  wrk.headers["Idempotency-Key"] = id
  return wrk.format("POST", "/api/v1/license/consume", nil,
    string.format('{"fingerprint":"machine-%d","feature_code":"feature-0","event_id":"%s"}', n, id))
end
