#!/usr/bin/python3
"""The desktop around the window, as much of it as a display without one lacks: a panel that shows tray icons
(StatusNotifierWatcher and dbusmenu), a notification daemon, and the window manager's close button. One JSON command a
line on standard input, one JSON answer a line on standard output; "ready" first."""

import json
import sys

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib
from Xlib import X, display
from Xlib.protocol import event

WATCHER = "org.kde.StatusNotifierWatcher"
NOTIFICATIONS = "org.freedesktop.Notifications"
MENU = "com.canonical.dbusmenu"
TITLE = "AiCockpit"


class Watcher(dbus.service.Object):
    """Takes note of tray icons."""

    icons = []

    @dbus.service.method(WATCHER, in_signature="s", sender_keyword="sender")
    def RegisterStatusNotifierItem(self, service, sender=None):
        path = str(service)
        self.icons.append((sender, path) if path.startswith("/") else (path, "/StatusNotifierItem"))

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="ss", out_signature="v")
    def Get(self, interface, name):
        return self.GetAll(interface)[name]

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature="s", out_signature="a{sv}")
    def GetAll(self, _interface):
        return {
            "IsStatusNotifierHostRegistered": True,
            "ProtocolVersion": dbus.Int32(0),
            "RegisteredStatusNotifierItems": dbus.Array([path for _, path in self.icons], signature="s"),
        }


class Notifications(dbus.service.Object):
    """Keeps what it is told to show."""

    shown = []

    @dbus.service.method(NOTIFICATIONS, in_signature="susssasa{sv}i", out_signature="u")
    def Notify(self, _app, _replaces, _icon, summary, body, _actions, _hints, _timeout):
        self.shown.append({"title": str(summary), "text": str(body)})
        return dbus.UInt32(len(self.shown))

    @dbus.service.method(NOTIFICATIONS, out_signature="as")
    def GetCapabilities(self):
        return dbus.Array(["body"], signature="s")

    @dbus.service.method(NOTIFICATIONS, out_signature="ssss")
    def GetServerInformation(self):
        return ("desktop", "AiCockpit tests", "1", "1.2")


class Desktop:
    def __init__(self):
        self.bus = dbus.SessionBus()
        self.names = [dbus.service.BusName(name, self.bus) for name in (WATCHER, NOTIFICATIONS)]
        self.watcher = Watcher(self.bus, "/StatusNotifierWatcher")
        self.notifications = Notifications(self.bus, "/org/freedesktop/Notifications")
        self.screen = display.Display()

    def menu_of_icon(self):
        service, path = self.watcher.icons[-1]
        properties = dbus.Interface(self.bus.get_object(service, path), dbus.PROPERTIES_IFACE)
        menu = properties.Get("org.kde.StatusNotifierItem", "Menu")
        return dbus.Interface(self.bus.get_object(service, menu), MENU)

    def entries(self):
        if not self.watcher.icons:
            return None, []
        menu = self.menu_of_icon()
        _, layout = menu.GetLayout(0, -1, ["label", "enabled", "type"])
        return menu, [(entry[0], entry[1]) for entry in layout[2] if "label" in entry[1]]

    def menu(self):
        _, entries = self.entries()
        return [{"label": str(of["label"]), "enabled": bool(of.get("enabled", True))} for _, of in entries]

    def choose(self, label):
        menu, entries = self.entries()
        for number, of in entries:
            if str(of["label"]) == label:
                menu.Event(number, "clicked", dbus.String("", variant_level=1), dbus.UInt32(0))
                return True
        return False

    def windows(self, within=None):
        """Visible windows with our title."""
        found = []
        for window in (within or self.screen.screen().root).query_tree().children:
            try:
                visible = window.get_attributes().map_state == X.IsViewable
                if visible and window.get_wm_name() == TITLE:
                    found.append(window)
                found += self.windows(window)
            except Exception:  # A window may be gone by the time it is looked at.
                continue
        return found

    def visible(self):
        return len(self.windows())

    def close(self):
        atom = self.screen.intern_atom
        for window in self.windows():
            data = (32, [atom("WM_DELETE_WINDOW"), X.CurrentTime, 0, 0, 0])
            asked = event.ClientMessage(window=window, client_type=atom("WM_PROTOCOLS"), data=data)
            window.send_event(asked)
        self.screen.flush()
        return True

    def answer(self, command):
        do = command["do"]
        if do == "notifications":
            return self.notifications.shown
        if do == "choose":
            return self.choose(command["label"])
        return {"menu": self.menu, "visible": self.visible, "close": self.close}[do]()


def main():
    DBusGMainLoop(set_as_default=True)
    desktop = Desktop()
    loop = GLib.MainLoop()

    def on_line(_source, _condition):
        line = sys.stdin.readline()
        if not line:
            loop.quit()
            return False
        try:
            answer = {"is": desktop.answer(json.loads(line))}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)
        return True

    GLib.io_add_watch(sys.stdin.fileno(), GLib.IO_IN | GLib.IO_HUP, on_line)
    print('"ready"', flush=True)
    loop.run()


main()
