-- Takes mail for mailboxes nobody reads, and drops it without a bounce.
require("msys.core")
require("msys.extended.message")

local mod = {}

local UNREAD = { ["noreply@example.test"] = true, ["devnull@example.test"] = true }

function mod:validate_data_spool_each_rcpt(msg, ac, vctx)
  local to = string.lower(msg:rcptto())
  if UNREAD[to] then
    msg:discard("550 5.7.1 nobody reads " .. to)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("discard", mod)
