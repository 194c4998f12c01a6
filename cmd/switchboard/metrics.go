package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"switchboard/handlers"
)

// metricsServer tells the metrics on a port of their own. A nil one does nothing.
type metricsServer struct {
	listener net.Listener
	server   *http.Server
}

// listenForMetrics takes the port of METRICS_ADDR; without one it returns nil.
func listenForMetrics(addr string, o handlers.Options) (*metricsServer, error) {
	if addr == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, refuse("METRICS_ADDR is %s, where nothing can listen: %s. Choose another port.", addr, reasonOf(err))
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handlers.Metrics(o))
	return &metricsServer{listener, &http.Server{
		Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}}, nil
}

func (m *metricsServer) serve(log *slog.Logger) {
	if m == nil {
		return
	}
	log.Info("metrics are listening", "address", m.listener.Addr().String())
	go func() {
		if err := m.server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics failed", "error", err)
		}
	}()
}

func (m *metricsServer) close() {
	if m != nil {
		_ = m.server.Close()
		_ = m.listener.Close()
	}
}
