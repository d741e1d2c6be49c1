-- Momentum's own operators: flags in one number, `!=` and `!`, integer division, an octal number.
require("msys.core")
require("msys.extended.message")

local mod = {}

local URGENT, INTERNAL, LARGE = 1, 2, 4
local LARGE_BYTES = 0100000 -- octal: 32768

function mod:validate_data(msg, ac, vctx)
  local flags = 0
  local priority = msg:header("X-Priority")[1]
  if priority != nil and priority:sub(1, 1) == "1" then
    flags = flags | URGENT
  end
  if msg:mailfrom():match("@example%.test$") then
    flags = flags | INTERNAL
  end
  local size = msg:get_message_size()
  if !(size < LARGE_BYTES) then
    flags = flags | LARGE
  end
  if flags & (URGENT | INTERNAL) != 0 then
    msg:header("X-Flags", string.format("%03d %dk", flags, size \ 1024))
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("dialect", mod)
