-- Walks over twenty headers: how many values, how long, which look like mail in bulk.
require("msys.core")
require("msys.extended.message")
require("msys.extended.vctx")

local mod = {}

local NAMES = {
  "Received", "From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "Sender", "Precedence",
  "List-Id", "List-Unsubscribe", "X-Mailer", "X-Priority", "Importance", "Return-Path", "Organization",
  "In-Reply-To", "References", "MIME-Version",
}

function mod:validate_data(msg, ac, vctx)
  local count, length, bulk = 0, 0, 0
  local longest = ""
  for _, name in ipairs(NAMES) do
    local values = msg:header(name)
    for i, value in ipairs(values) do
      count = count + 1
      length = length + #value
      if #value > #longest then
        longest = value
      end
      if string.find(string.lower(value), "bulk", 1, true) or string.match(value, "^list%-%d+") then
        bulk = bulk + 1
      end
    end
  end
  vctx:set(msys.core.VCTX_MESS, "count", count .. "/" .. length)
  vctx:set(msys.core.VCTX_MESS, "longest", longest)
  if bulk > 0 then
    vctx:set(msys.core.VCTX_MESS, "bulk", tostring(bulk))
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("headers", mod)
