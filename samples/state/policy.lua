-- What was learned at connect is still known when the data arrives: `self` belongs to the session.
require("msys.core")
require("msys.extended.message")
require("msys.extended.vctx")

local mod = {}

function mod:validate_connect(ac, vctx)
  self.began = msys.core.get_now_ts()
  self.messages = 0
  return msys.core.VALIDATE_CONT
end

function mod:validate_mailfrom(str, ac, vctx)
  self.messages = self.messages + 1
  return msys.core.VALIDATE_CONT
end

function mod:validate_data(msg, ac, vctx)
  msg:header("X-Session", "message " .. self.messages .. " of " .. tostring(msg.conn_id))
  if msys.core.get_now_ts() < self.began then
    print("the clock went back in session " .. tostring(msg.conn_id))
  end
  return msys.core.VALIDATE_CONT
end

msys.registerModule("state", mod)
