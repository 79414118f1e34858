/** What a process says of itself to whoever runs it. */
export interface HealthReport {
  /** Empty when all is well. Each entry says what is wrong in a few words. */
  readonly problems: readonly string[];
}

export interface Health {
  /** Whether the process makes progress: when it says no, restart it. */
  live(): HealthReport;
  /** Whether it can do its work now: when it says no, send it none. */
  ready(): Promise<HealthReport>;
}
