package main

import _ "time/tzdata" // quiet hours have a time zone, and a small image may have none
