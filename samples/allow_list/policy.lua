-- Clients of our own networks are marked as trusted; others may not send as us.
require("msys.core")
require("msys.cidr")
require("msys.extended.message")
require("msys.extended.vctx")

local mod = {}

local OUR_DOMAIN = "corp.example.test"

function mod:init()
  msys.cidr.define("our_networks", {
    type = "rbldnsd",
    source = "allow_list/networks.txt",
    value = "txt",
    default_value = "outside",
  })
  return true
end

function mod:validate_connect(ac, vctx)
  local where = msys.cidr.query("our_networks")
  vctx:set(msys.core.VCTX_CONN, "network", where)
  return msys.core.VALIDATE_CONT
end

function mod:validate_mailfrom(str, ac, vctx)
  local domain = vctx:get(msys.core.VCTX_MESS, "mailfrom_domain"):lower()
  if domain == OUR_DOMAIN and vctx:get(msys.core.VCTX_CONN, "network") == "outside" then
    vctx:set_code(550, "5.7.1 " .. OUR_DOMAIN .. " does not send from there")
    return msys.core.VALIDATE_DONE
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("allow_list", mod)
