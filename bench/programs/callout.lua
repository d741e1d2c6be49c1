-- A callout as operators write them: one header, one pattern, one table, two contexts, one new header.
require("msys.core")
require("msys.extended.message")
require("msys.extended.vctx")

local mod = {}

local POOLS = {
  ["example.com"] = "gold",
  ["example.org"] = "silver",
  ["shop.example.net"] = "bulk",
}

function mod:validate_data(msg, ac, vctx)
  local from = msg:header("From")
  if #from == 0 then
    vctx:set(msys.core.VCTX_MESS, "why", "no From")
    return msys.core.VALIDATE_CONT
  end
  local user, domain = string.match(from[1], "([^<@%s]+)@([%w%.%-]+)>?$")
  if not domain then
    vctx:set(msys.core.VCTX_MESS, "why", "strange From")
    return msys.core.VALIDATE_CONT
  end
  domain = string.lower(domain)
  local limit = tonumber(vctx:get(msys.core.VCTX_CONN, "limit"))
  if not limit then
    limit = 10
  end
  local pool = POOLS[domain] or "default"
  if #user > limit then
    pool = "slow"
  end
  msg:context_set(msys.core.VCTX_MESS, "pool", pool)
  msg:header("X-Route", pool .. "; " .. user .. " at " .. domain .. "; limit " .. limit)
  return msys.core.VALIDATE_CONT
end

msys.registerModule("callout", mod)
