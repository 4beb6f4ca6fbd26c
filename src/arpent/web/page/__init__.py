"""The page that shows the map: template, style, modules, words and a coast, all served from here.

A Django application without models. The modules are plain ECMAScript, read by the browser as they are written; the
only library is Leaflet, from django-leaflet's own static files. Nothing on the page comes from another host unless its
reader ticks the box of OpenStreetMap.
"""
