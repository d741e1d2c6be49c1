-- Function calls and nothing else.
local function fib(n)
  if n < 2 then
    return n
  end
  return fib(n - 1) + fib(n - 2)
end

local function work()
  return fib(17)
end

return work
