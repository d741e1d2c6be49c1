-- Text: pieces joined, blanks squeezed, words replaced by a table and by a function, numbers formatted.
local WORDS = { name = "Ann", city = "Rome", day = "Monday", gift = "book" }
local TEMPLATE = "Dear  ${name},   on ${day}  we send a ${gift} to ${city}.   It costs  ${price} and  more. "

local function shout(word)
  return "<" .. string.upper(word) .. ">"
end

local function work()
  local lines = {}
  for i = 1, 20 do
    local line = string.gsub(TEMPLATE, "%s+", " ")
    line = string.gsub(line, "%${(%w+)}", WORDS)
    line = string.gsub(line, "(%u%l+)", shout)
    lines[#lines + 1] = string.format("%03d %-8s %s", i, "line" .. i, line)
  end
  local text = table.concat(lines, "\n")
  local out = ""
  for word in string.gmatch(text, "%a+") do
    if #word > 4 then
      out = out .. string.sub(word, 1, 3) .. "."
    end
  end
  return #text .. ":" .. #out .. ":" .. string.sub(text, 1, 60)
end

return work
