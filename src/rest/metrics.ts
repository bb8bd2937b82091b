/** Metrics in a registry of their own. Labels are route templates and codes, never an id or a query (DP-06). */
import type { ServerResponse } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface PoolStats {
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
}

export interface GatewayStats {
  /** Of this process, since its start. */
  readonly jobs: { readonly running: number; readonly done: number; readonly retried: number; readonly dead: number };
  readonly mllp: { readonly connections: number; readonly faults: number };
}

export interface Metrics {
  readonly registry: Registry;
  /** Counts an answer that has ended or was broken off. */
  observeResponse(res: ServerResponse, startedAt: number): void;
  /** Counts a message that was answered. */
  observeMessage(dialect: string, verdict: string, ms: number): void;
  /** Where the figures of the gateway come from, once there is one. */
  watchGateway(stats: () => GatewayStats): void;
  /** Where the pool's figures come from, once there is a pool. */
  watchPools(stats: () => PoolStats): void;
  stop(): void;
}

const ROUTE = Symbol('route');
interface LabelledResponse extends ServerResponse {
  [ROUTE]?: string;
}

/** Names the route template that answers, such as `/fhir/R4/:type/:id`. Without it a response counts as `other`. */
export function labelRoute(res: ServerResponse, template: string): void {
  (res as LabelledResponse)[ROUTE] = template;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Creates the metrics of one server. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  let pools: (() => PoolStats) | undefined;

  const responses = new Histogram({
    name: 'mortar_http_response_seconds',
    help: 'Time from request to the end of the answer',
    labelNames: ['method', 'route', 'status'],
    buckets: BUCKETS_SECONDS,
    registers,
  });
  new Gauge({
    name: 'mortar_database_connections',
    help: 'Database connections by state; waiting are callers without one',
    labelNames: ['state'],
    registers,
    collect() {
      const stats = pools?.();
      if (stats !== undefined) for (const [state, value] of Object.entries(stats)) this.set({ state }, value);
    },
  });
  new Gauge({
    name: 'nodejs_eventloop_lag_seconds',
    help: 'How late the event loop ran timers since the last scrape',
    labelNames: ['quantile'],
    registers,
    collect() {
      for (const quantile of [50, 99, 100])
        this.set({ quantile: String(quantile / 100) }, finite(delay.percentile(quantile)) / 1e9);
      delay.reset();
    },
  });
  const answered = new Histogram({
    name: 'mortar_message_seconds',
    help: 'Time from the last byte of a message to its answer, by what became of it',
    labelNames: ['dialect', 'verdict'],
    buckets: BUCKETS_SECONDS,
    registers,
  });
  let gateway: (() => GatewayStats) | undefined;
  new Gauge({
    name: 'mortar_jobs',
    help: 'Jobs of this process: running now; done, retried and dead since its start',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, value] of Object.entries(gateway?.().jobs ?? {})) this.set({ state }, value);
    },
  });
  gauge(
    registers,
    'mortar_mllp_connections',
    'Open connections of HL7 v2 senders',
    () => gateway?.().mllp.connections ?? 0,
  );
  gauge(registers, 'mortar_mllp_faults_total', 'Broken frames since the start', () => gateway?.().mllp.faults ?? 0);
  gauge(registers, 'process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss());
  gauge(registers, 'nodejs_heap_used_bytes', 'JavaScript heap in use', () => process.memoryUsage().heapUsed);
  gauge(registers, 'process_uptime_seconds', 'Time since the process started', () => process.uptime());
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time of this process, user and system',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });

  return {
    registry,
    observeMessage: (dialect, verdict, ms) => answered.observe({ dialect, verdict }, ms / 1000),
    watchGateway(stats) {
      gateway = stats;
    },
    observeResponse(res, startedAt) {
      const method = res.req.method ?? '';
      responses.observe(
        {
          method: METHODS.has(method) ? method : 'other',
          route: (res as LabelledResponse)[ROUTE] ?? 'other',
          status: res.writableFinished ? String(res.statusCode) : 'aborted',
        },
        (performance.now() - startedAt) / 1000,
      );
    },
    watchPools(stats) {
      pools = stats;
    },
    stop() {
      delay.disable();
      registry.clear();
    },
  };
}

function gauge(registers: Registry[], name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(read());
    },
  });
}

const finite = (value: number): number => (Number.isFinite(value) ? value : 0);
