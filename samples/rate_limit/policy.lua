-- Sender domains that tend to send in bursts: so many messages a minute, the next one is asked to wait.
require("msys.core")
require("msys.audit_series")
require("msys.extended.vctx")

local mod = {}

local SERIES = "messages_by_sender_domain"
local LIMITS = { ["eager.example.test"] = 5, ["news.example.test"] = 1000 }

function mod:init()
  msys.audit_series.define(SERIES, "string", 10, 6)
  return true
end

function mod:validate_mailfrom(str, ac, vctx)
  local domain = string.lower(vctx:get(msys.core.VCTX_MESS, "mailfrom_domain"))
  local limit = LIMITS[domain]
  if not limit then
    return msys.core.VALIDATE_CONT
  end
  local seen = msys.audit_series.count(SERIES, { startv = 0, endv = 5, key = domain })
  if seen >= limit then
    vctx:set_code(451, string.format("4.7.1 %d messages a minute from %s, no more", limit, domain))
    return msys.core.VALIDATE_DONE
  end
  msys.audit_series.add(SERIES, { key = domain })
  return msys.core.VALIDATE_CONT
end

msys.registerModule("rate_limit", mod)
