-- A table says which mailboxes are full; their mail is refused for now.
require("msys.core")
require("msys.datasource")
require("msys.db")
require("msys.extended.vctx")

local mod = {}

local QUERY = "SELECT used, quota FROM mailbox WHERE address = ?"

function mod:validate_rcptto(msg, str, ac, vctx)
  local row, err = msys.db.fetch_row("mailboxes", QUERY, { msg:rcptto() }, { raise_error = false })
  if err then
    print("mailboxes: " .. err)
    vctx:set_code(451, "4.3.0 please try again later")
    return msys.core.VALIDATE_DONE
  end
  if row and tonumber(row.used) >= tonumber(row.quota) then
    vctx:set_code(452, "4.2.2 mailbox is full: " .. row.used .. " of " .. row.quota .. " MB")
    return msys.core.VALIDATE_DONE
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("sqlite", mod)
