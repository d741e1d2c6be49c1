local mod = {}
function mod:validate_connect(ac, vctx
  return 0
end
