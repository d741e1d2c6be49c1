require("msys.core")
local socket = require("socket.http")
local match = msys.pcre.match

local mod = {}

local function look(msg)
  msys.smpp.smpp_get_message_id_from_pdu(msg)
  return msg:header("Subject")
end

function mod:validate_data_spool(msg, ac, vctx)
  local subject = look(msg)
  if match(subject[1], "x") or match(subject[1], "y") then
    msys.core.ec_unheard_of(msg)
    msys.smpp.smpp_get_message_id_from_pdu(msg)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("scan", mod)
