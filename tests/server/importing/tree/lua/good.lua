require("msys.core")
local lib = require("lib.words")

local mod = {}

function mod:validate_data_spool(msg, ac, vctx)
  for word in pairs(lib.words) do
    if msg:header("X-Word")[1] == word then
      vctx:set(msys.core.VCTX_MESS, "word", word)
    end
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("good", mod)
