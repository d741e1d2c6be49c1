-- Mail must say who wrote it and when; a spam mark set upstream is believed.
require("msys.core")
require("msys.extended.message")
require("msys.extended.vctx")

local mod = {}

local REQUIRED = { "From", "Date" }

-- The first required header that is absent, or nothing.
local function missing(msg)
  for _, name in ipairs(REQUIRED) do
    if #msg:header(name) == 0 then
      return name
    end
  end
  return nil
end

function mod:validate_data(msg, ac, vctx)
  local name = missing(msg)
  if name then
    vctx:set_code(550, "5.6.0 a " .. name .. " header is required")
    return msys.core.VALIDATE_DONE
  end
  local flag = msg:header("X-Spam-Flag")[1]
  if flag and flag:upper() == "YES" then
    vctx:set_code(554, "5.7.1 marked as spam before it reached us")
    return msys.core.VALIDATE_DONE
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("header_check", mod)
