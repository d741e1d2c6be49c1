-- An unknown client, sender and recipient wait one second before they are believed.
require("msys.core")
require("msys.extended.message")
require("msys.extended.vctx")

local mod = {}

local WAIT = 1 -- seconds
local DOMAIN = "grey.example.test"
local first_seen = {}

function mod:validate_rcptto(msg, str, ac, vctx)
  if vctx:get(msys.core.VCTX_MESS, "rcptto_domain") ~= DOMAIN then
    return msys.core.VALIDATE_CONT
  end
  local ip = string.match(tostring(ac.remote_addr), "^(.*):%d+$")
  local key = table.concat({ ip or "?", msg:mailfrom(), msg:rcptto() }, "|")
  local now = msys.core.get_now_ts()
  local seen = first_seen[key]
  if not seen then
    first_seen[key] = now
    vctx:set_code(451, "4.7.1 please try again in " .. WAIT .. " s")
  elseif now - seen < WAIT then
    vctx:set_code(451, "4.7.1 please try again in " .. WAIT - (now - seen) .. " s")
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("greylist", mod)
