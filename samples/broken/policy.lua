-- Breaks on purpose: what the sender and the operator see when policy has a mistake.
require("msys.core")
require("msys.extended.message")

local mod = {}

local limits = { ["example.test"] = { size = 10240 } }

local function size_limit(domain)
  return limits[domain].size -- fails for a domain without limits
end

function mod:validate_data(msg, ac, vctx)
  local wanted = msg:header("X-Size-Limit")[1]
  if wanted and msg:get_message_size() > size_limit(wanted) then
    vctx:set_code(552, "5.3.4 too large for " .. wanted)
    return msys.core.VALIDATE_DONE
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("broken", mod)
