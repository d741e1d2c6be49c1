-- At most five messages a minute from one sender domain; the sixth is asked to wait.
require("msys.core")
require("msys.audit_series")
require("msys.extended.vctx")

local mod = {}

local SERIES = "messages_by_sender_domain"
local LIMIT = 5

function mod:init()
  msys.audit_series.define(SERIES, "string", 10, 6)
  return true
end

function mod:validate_mailfrom(str, ac, vctx)
  local domain = vctx:get(msys.core.VCTX_MESS, "mailfrom_domain")
  if domain == "" then
    return msys.core.VALIDATE_CONT -- bounces are never limited
  end
  domain = string.lower(domain)
  local seen = msys.audit_series.count(SERIES, { startv = 0, endv = 5, key = domain })
  if seen >= LIMIT then
    vctx:set_code(451, string.format("4.7.1 %d messages a minute from %s, no more", LIMIT, domain))
    return msys.core.VALIDATE_DONE
  end
  msys.audit_series.add(SERIES, { key = domain })
  return msys.core.VALIDATE_CONT
end

msys.registerModule("rate_limit", mod)
