-- Sends each message from the pool of addresses that its X-Pool header asks for.
require("msys.core")
require("msys.extended.message")

local mod = {}

local POOLS = { transactional = "fast", newsletter = "bulk" }

function mod:validate_set_binding(msg)
  local wanted = msg:header("X-Pool")[1]
  if wanted then
    local binding = POOLS[wanted:lower()] or "default"
    if not msg:binding(binding) then
      print("no binding called " .. binding .. " for message " .. tostring(msg.id))
    end
    if binding == "fast" then
      msg.priority = 1
    end
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("binding", mod)
