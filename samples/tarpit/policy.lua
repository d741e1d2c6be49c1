-- Clients that greet us with our own name are made to wait.
require("msys.core")
require("msys.extended.vctx")

local mod = {}

local OUR_NAME = "mx.example.test"

function mod:validate_ehlo(str, ac, vctx)
  local name = vctx:get(msys.core.VCTX_CONN, "ehlo_domain")
  if name:lower() == OUR_NAME then
    vctx:set(msys.core.VCTX_CONN, "liar", "yes")
    vctx:tarpit(0.3)
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("tarpit", mod)
