"""What policy calls: `msys.dnsLookup`, `msys.core`, `msys.pcre`, … under the names Lua uses.

Everything is loaded when it is first asked for: the catalogue and the language run time live below this
package and must not pull in the rest. A package that is not provided answers every name with a function
that raises; docs/reference/coverage.md says which those are.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from msys import adaptive as adaptive
    from msys import apn as apn
    from msys import audit as audit
    from msys import audit_series as audit_series
    from msys import av as av
    from msys import base64 as base64
    from msys import bounce as bounce
    from msys import brightmail as brightmail
    from msys import cidr as cidr
    from msys import cloudmark as cloudmark
    from msys import commtouch as commtouch
    from msys import core as core
    from msys import counter as counter
    from msys import db as db
    from msys import delivery as delivery
    from msys import dumper as dumper
    from msys import expurgate as expurgate
    from msys import gauge_cache as gauge_cache
    from msys import gcm as gcm
    from msys import http as http
    from msys import httpclnt as httpclnt
    from msys import idn as idn
    from msys import json as json
    from msys import mstore as mstore
    from msys import opendkim as opendkim
    from msys import os as os
    from msys import pcre as pcre
    from msys import policyeditor as policyeditor
    from msys import qp as qp
    from msys import rfc3464 as rfc3464
    from msys import symantec_beik as symantec_beik
    from msys import thread as thread
    from msys import threadpool as threadpool
    from msys import timer as timer
    from msys import validate as validate
    from msys.accept import Accept as Accept
    from msys.accept import CommandConstruct as CommandConstruct
    from msys.accept import MessageConstruct as MessageConstruct
    from msys.accept import SocketAddress as SocketAddress
    from msys.background import runInPool as runInPool
    from msys.configuration import config as config
    from msys.counter import Counter as Counter
    from msys.dns_lookup import dnsLookup as dnsLookup
    from msys.domain_record import DomainRecord as DomainRecord
    from msys.ecstring import EcString as EcString
    from msys.header_addresses import parseRFC2822Addresses as parseRFC2822Addresses
    from msys.http.client import Client as Client
    from msys.httpclnt import HttpSession as HttpSession
    from msys.identity import Id as Id
    from msys.introspect import cast as cast
    from msys.introspect import getClassMetaTable as getClassMetaTable
    from msys.introspect import type as type
    from msys.io_object import IoObject as IoObject
    from msys.json import Json as Json
    from msys.lua import ABSENT as ABSENT
    from msys.lua import LuaError as LuaError
    from msys.lua import Table as Table
    from msys.lua import Userdata as Userdata
    from msys.macros import expandMacro as expandMacro
    from msys.message import Message as Message
    from msys.message import Part as Part
    from msys.os import Statvfs as Statvfs
    from msys.os import StatvfsRecord as StatvfsRecord
    from msys.reading import readfile as readfile
    from msys.registration import registerAuth as registerAuth
    from msys.registration import registerControl as registerControl
    from msys.registration import registerModule as registerModule
    from msys.share import shareGet as shareGet
    from msys.share import shareSet as shareSet
    from msys.share import shareUnset as shareUnset
    from msys.sieve import runSieveScript as runSieveScript
    from msys.snmp import snmpTrap as snmpTrap
    from msys.thread import Mutex as Mutex
    from msys.threadpool import ThreadPoolStatistics as ThreadPoolStatistics
    from msys.timer import Timer as Timer
    from msys.validate.dkim import DkimResult as DkimResult
    from msys.validate.dkim import DkimResults as DkimResults
    from msys.validate.opendkim import Dkim as Dkim
    from msys.validate.opendkim import DkimSig as DkimSig
    from msys.vctx import ValidationContext as ValidationContext
    from msys.waiting import asyncOk as asyncOk
    from msys.waiting import lock as lock
    from msys.waiting import sleep as sleep
    from msys.waiting import unlock as unlock

    Session = Table  # the `self` of a callout: a table kept for the session

__version__ = "0.1.0"

EXPORTS = {  # name -> module and attribute; everything else is a module of this package
    "ABSENT": "msys.lua:ABSENT",
    "Accept": "msys.accept:Accept",
    "Client": "msys.http.client:Client",
    "CommandConstruct": "msys.accept:CommandConstruct",
    "Counter": "msys.counter:Counter",
    "Dkim": "msys.validate.opendkim:Dkim",
    "DkimResult": "msys.validate.dkim:DkimResult",
    "DkimResults": "msys.validate.dkim:DkimResults",
    "DkimSig": "msys.validate.opendkim:DkimSig",
    "DomainRecord": "msys.domain_record:DomainRecord",
    "EcString": "msys.ecstring:EcString",
    "HttpSession": "msys.httpclnt:HttpSession",
    "Id": "msys.identity:Id",
    "IoObject": "msys.io_object:IoObject",
    "Json": "msys.json:Json",
    "LuaError": "msys.lua:LuaError",
    "Message": "msys.message:Message",
    "MessageConstruct": "msys.accept:MessageConstruct",
    "Mutex": "msys.thread:Mutex",
    "Part": "msys.message:Part",
    "SocketAddress": "msys.accept:SocketAddress",
    "Session": "msys.lua:Table",
    "Statvfs": "msys.os:Statvfs",
    "StatvfsRecord": "msys.os:StatvfsRecord",
    "Table": "msys.lua:Table",
    "ThreadPoolStatistics": "msys.threadpool:ThreadPoolStatistics",
    "Timer": "msys.timer:Timer",
    "Userdata": "msys.lua:Userdata",
    "ValidationContext": "msys.vctx:ValidationContext",
    "asyncOk": "msys.waiting:asyncOk",
    "cast": "msys.introspect:cast",
    "config": "msys.configuration:config",
    "dnsLookup": "msys.dns_lookup:dnsLookup",
    "expandMacro": "msys.macros:expandMacro",
    "getClassMetaTable": "msys.introspect:getClassMetaTable",
    "lock": "msys.waiting:lock",
    "parseRFC2822Addresses": "msys.header_addresses:parseRFC2822Addresses",
    "readfile": "msys.reading:readfile",
    "registerAuth": "msys.registration:registerAuth",
    "registerControl": "msys.registration:registerControl",
    "registerModule": "msys.registration:registerModule",
    "runInPool": "msys.background:runInPool",
    "runSieveScript": "msys.sieve:runSieveScript",
    "shareGet": "msys.share:shareGet",
    "shareSet": "msys.share:shareSet",
    "shareUnset": "msys.share:shareUnset",
    "sleep": "msys.waiting:sleep",
    "snmpTrap": "msys.snmp:snmpTrap",
    "type": "msys.introspect:type",
    "unlock": "msys.waiting:unlock",
}

if not TYPE_CHECKING:  # a name that does not exist must stay an error for the type checker

    def __getattr__(name: str) -> Any:
        """Load what stands behind `name`, once."""
        where = EXPORTS.get(name)
        if where is not None:
            module, _, attribute = where.partition(":")
            found = getattr(import_module(module), attribute)
        elif name.startswith("_"):
            raise AttributeError(f"module 'msys' has no attribute '{name}'")
        else:
            found = _package(name)
        globals()[name] = found
        return found

    def _package(name: str) -> Any:
        from msys.missing import Missing, is_catalogued

        try:
            return import_module(f"msys.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"msys.{name}" or not is_catalogued(f"msys.{name}"):
                raise AttributeError(f"module 'msys' has no attribute '{name}'") from error
        return Missing(f"msys.{name}")
