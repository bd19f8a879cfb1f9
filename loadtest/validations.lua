-- The requests of loadtest/validations for wrk: each is for a random license. LICENSES says how many there are.
local licenses = tonumber(os.getenv("LICENSES"))
local path = os.getenv("OPERATION_PATH") or "/api/v1/license/validate"
-- The last digits of licenses that are neither suspended nor expired (see licenses.sql).
local usable = { 0, 1, 2, 4, 5, 6, 9 }
local threads = 0

function setup(thread)
  thread:set("seed", os.time() * 100 + threads)
  threads = threads + 1
end

function init(args)
  math.randomseed(seed)
end

function request()
  local n = math.random(0, licenses / 10 - 1) * 10 + usable[math.random(#usable)]
  wrk.headers["Authorization"] = string.format("License lsk_load%010d", n)
  return wrk.format("POST", path, nil, string.format('{"fingerprint":"machine-%d","app_version":"1.0"}', n))
end
