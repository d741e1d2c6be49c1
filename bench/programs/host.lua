-- What policy calls, for lua5.1: as little as gives answers, the same work as bench/host.py does in Python.
-- Globals from outside: PROGRAM (path), COUNT, CASES (messages), CALLOUTS (names with their arguments).
local Message = {}
Message.__index = Message

function Message:header(name, value)
  if value == nil then
    return self.headers[name] or {}
  end
  self.headers[name] = { value }
end

function Message:context_set(_, name, value) self.context[name] = value end
function Message:mailfrom() return self.sender end

function Message:rcptto(address)
  if address == nil then
    return self.recipient
  end
  self.rewritten = address
end

function Message:get_message_size() return self.size end
function Message:text_match(pattern) return self.card end
function Message:text_replace(pattern, with) self.masked = with end
function Message:discard(why) self.discarded = why end

function Message:binding(name)
  self.bound = name
  return true
end

local Context = {}
Context.__index = Context

function Context:get(_, name) return self.values[name] end
function Context:set(_, name, value) self.values[name] = value end

function Context:set_code(code, text)
  self.code = code
  self.note = text
end

function Context:disconnect(code, text)
  self.code = code
  self.note = text
end

function Context:tarpit(seconds) self.tarpit_s = seconds end

local registered = {}
msys = {
  core = {
    VALIDATE_CONT = 0, VALIDATE_DONE = 1, VCTX_CONN = 0, VCTX_MESS = 1,
    get_now_ts = function () return 1700000000 end,
  },
  cidr = { define = function () end, query = function () return "outside" end },
  audit_series = { define = function () end, add = function () end, count = function () return 2 end },
  validate = { opendkim = { sign = function () end } },
  db = { fetch_row = function () return { used = "3", quota = "10" } end },
  dnsLookup = function (name, kind)
    if kind == "TXT" then
      return { "listed" }
    end
    return { "127.0.0.2" }
  end,
  registerModule = function (name, functions) registered = functions end,
}

local plain_require = require
function require(name)
  if string.sub(name, 1, 5) ~= "msys." then
    return plain_require(name)
  end
end

local sessions = {}
for number, case in ipairs(CASES) do
  local message = setmetatable({
    headers = case.headers, context = {}, sender = case.sender, recipient = case.recipient,
    size = case.size, card = case.card, id = "id" .. number, conn_id = "conn" .. number,
  }, Message)
  sessions[number] = {
    self = {}, msg = message, str = case.sender, accept = { remote_addr = case.remote },
    vctx = setmetatable({ values = case.values }, Context),
  }
end

local work = dofile(PROGRAM)
local verdicts

if not work then
  local calls = {}
  for _, session in ipairs(sessions) do
    for _, callout in ipairs(CALLOUTS) do
      local arguments = { registered[callout.name], session.self }
      for _, name in ipairs(callout.arguments) do
        arguments[#arguments + 1] = session[name]
      end
      calls[#calls + 1] = arguments
    end
  end
  function work()
    verdicts = {}
    for number, call in ipairs(calls) do
      verdicts[number] = call[1](call[2], call[3], call[4], call[5], call[6])
    end
  end
end

local function sorted(values, prefix, lines)
  for name, value in pairs(values) do
    if type(value) == "table" then
      value = table.concat(value, ",")
    end
    lines[#lines + 1] = prefix .. name .. "=" .. tostring(value)
  end
end

local function answer(result)
  if result ~= nil then
    return tostring(result)
  end
  local lines = {}
  for number, session in ipairs(sessions) do
    local msg, vctx = session.msg, session.vctx
    sorted(msg.headers, number .. " header ", lines)
    sorted(msg.context, number .. " context ", lines)
    sorted(vctx.values, number .. " session ", lines)
    sorted({
      code = vctx.code, note = vctx.note, tarpit_s = vctx.tarpit_s, rewritten = msg.rewritten,
      masked = msg.masked, discarded = msg.discarded, bound = msg.bound, priority = msg.priority,
    }, number .. " ", lines)
  end
  table.sort(lines)
  local codes = {}
  for number = 1, #CASES * #CALLOUTS do
    codes[number] = tostring(verdicts[number])
  end
  return table.concat(lines, "\n") .. "\n" .. table.concat(codes, " ")
end

local first = answer(work())
if COUNT == 0 then
  io.write(first)
else
  local began = os.clock()
  for _ = 1, COUNT do
    work()
  end
  io.write(string.format("%.6f", os.clock() - began))
end
