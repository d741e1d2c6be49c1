-- Counts hits per domain in windows of time, and drops what fell out of them.
local WINDOW = 60
local DOMAINS = { "a.example", "b.example", "c.example", "d.example", "e.example", "f.example", "g.example" }

local function add(counts, domain, now)
  local row = counts[domain]
  if not row then
    row = { total = 0, since = now }
    counts[domain] = row
  end
  if now - row.since >= WINDOW then
    row.total = 0
    row.since = now
  end
  row.total = row.total + 1
  return row.total
end

local function work()
  local counts = {}
  local most, now = 0, 0
  for i = 1, 400 do
    now = now + i % 5
    local total = add(counts, DOMAINS[i * 3 % #DOMAINS + 1], now)
    if total > most then
      most = total
    end
  end
  local left = 0
  for domain, row in pairs(counts) do
    left = left + row.total
  end
  return most * 1000 + left
end

return work
