// Package e2e walks whole journeys through the program that ships: the real binary as its
// own process, the simulated WhatsApp network as another, and a real browser.
//
// There is nothing to import here. The tests start what they need on free ports and in
// folders of their own, so they run side by side.
package e2e
