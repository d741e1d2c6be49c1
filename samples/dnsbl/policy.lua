-- Refuses clients that a DNS block list names, and tells them why.
require("msys.core")
require("msys.extended.vctx")

local mod = {}

local ZONE = "bl.example.test"

local function reversed(ip)
  local a, b, c, d = ip:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if a then
    return d .. "." .. c .. "." .. b .. "." .. a .. "." .. ZONE
  end
  return nil -- not an IPv4 address
end

function mod:validate_connect(ac, vctx)
  local ip = tostring(ac.remote_addr):match("^([%d%.]+):%d+$")
  local name = ip and reversed(ip)
  if not name then
    return msys.core.VALIDATE_CONT
  end
  local found, err = msys.dnsLookup(name, "A")
  if found then
    local why = msys.dnsLookup(name, "TXT")
    local text = why and why[1] or "listed by " .. ZONE
    vctx:set(msys.core.VCTX_CONN, "dnsbl", found[1])
    vctx:disconnect(550, "5.7.1 " .. text)
    return msys.core.VALIDATE_DONE
  elseif err ~= "NXDOMAIN" then
    -- A list that does not answer stops nobody, but it is noted.
    vctx:set(msys.core.VCTX_CONN, "dnsbl_error", err)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("dnsbl", mod)
