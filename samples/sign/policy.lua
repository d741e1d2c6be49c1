-- Signs what our own domain sends, as the last step before the spool.
require("msys.core")
require("msys.extended.message")
require("msys.validate.opendkim")

local mod = {}

local SIGNED_DOMAIN = "signed.example.test"

function mod:core_final_validation(msg, accept, vctx)
  local domain = string.match(msg:mailfrom(), "@([^@]+)$")
  if domain == SIGNED_DOMAIN then
    msys.validate.opendkim.sign(msg, vctx, {
      signing_domain = domain,
      selector = "mail",
      header_canon = "relaxed",
      body_canon = "relaxed",
      digest = "rsa-sha256",
      keyfile = "sign/private.key",
    })
  end
end

msys.registerModule("sign", mod)
