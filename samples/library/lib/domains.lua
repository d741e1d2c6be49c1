-- Shared by several scripts: what we know of mail domains.
module("library.lib.domains", package.seeall)

local FREE = { ["freemail.example.test"] = true, ["webmail.example.test"] = true }

-- The domain of an address in lower case; an empty string when it has none.
function of(address)
  return string.lower(string.match(address, "@([^@]+)$") or "")
end

function is_free(domain)
  return FREE[domain] == true
end
