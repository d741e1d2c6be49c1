local mod = {}
local cache = setmetatable({}, { __mode = "k" })

function mod:init()
  cache[mod] = os.execute("date")
  return true
end

msys.registerModule("weak", mod)
