-- Uses a library script: mail from free providers is marked.
require("msys.core")
require("msys.extended.message")

local domains = require("library.lib.domains")

local mod = {}

function mod:validate_data(msg, ac, vctx)
  local domain = domains.of(msg:mailfrom())
  if domains.is_free(domain) then
    msg:header("X-Sender-Kind", "free provider " .. domain)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("library", mod)
