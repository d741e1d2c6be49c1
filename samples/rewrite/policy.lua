-- Mail for a renamed domain goes to the new one, each recipient on a copy of its own.
require("msys.core")
require("msys.extended.message")

local mod = {}

local RENAMED = {
  ["old.example.test"] = "new.example.test",
  ["older.example.test"] = "new.example.test",
}

function mod:validate_data_spool_each_rcpt(msg, ac, vctx)
  local address = msg:rcptto()
  local user, domain = address:match("^(.+)@([^@]+)$")
  local new = domain and RENAMED[domain:lower()]
  if new then
    msg:rcptto(user .. "@" .. new)
    msg:header("X-Original-Recipient", address)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("rewrite", mod)
