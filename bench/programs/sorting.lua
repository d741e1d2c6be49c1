-- A queue by priority: rows sorted by a comparator, urgent ones put in front.
local function before(a, b)
  if a.priority ~= b.priority then
    return a.priority > b.priority
  end
  return a.number < b.number
end

local function work()
  local rows = {}
  local seed = 7
  for i = 1, 150 do
    seed = (seed * 137 + 29) % 1009
    rows[#rows + 1] = { number = i, priority = seed % 10 }
  end
  table.sort(rows, before)
  for i = 1, 10 do
    table.insert(rows, 1, { number = 1000 + i, priority = 99 })
  end
  table.sort(rows, before)
  local sum = 0
  for place, row in ipairs(rows) do
    sum = (sum * 31 + row.number * place) % 65521
  end
  table.remove(rows, 1)
  return sum * 1000 + #rows
end

return work
