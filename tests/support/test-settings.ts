// Apart from the service itself, which takes long to load and which whoever starts it as a process has no use for.
export const OPERATOR_KEY = 'pho_test_operator_key_0123456789';
export const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');

/** A 503 is for databases that are away, not for machines that are slow. */
export const PATIENT_DEADLINE_MS = 20_000;

/** Nor is a receiver or broker unreachable that is slow to take a connection: all the time of an attempt. */
export const PATIENT_CONNECT_SECONDS = 15;
