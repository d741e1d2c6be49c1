-- Masks card numbers in text before a message leaves.
require("msys.core")
require("msys.extended.message")

local mod = {}

local CARD = "\\b(\\d{4})[ -]?\\d{4}[ -]?\\d{4}[ -]?(\\d{4})\\b"

function mod:validate_data(msg, ac, vctx)
  if msg:text_match(CARD) then
    msg:text_replace(CARD, "$1 **** **** $2")
    msg:header("X-Masked", "card", "append")
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("body_replace", mod)
