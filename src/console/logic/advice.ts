/** What a reader of the console can do about a problem, by the code of its document; else by its status. */
export function adviceOf(status: number, code: string): string {
  if (code === 'missing_scope') return 'Sign in with a key that has this scope; an operator can make one.';
  if (code === 'forbidden') return 'Sign in with an operator key.';
  if (code === 'invalid_cursor') return 'Begin with the newest again.';
  if (code === 'outcome_unknown')
    return 'It may have been done all the same: refresh, and look before you ask for it again.';
  if (status === 0) return 'Check the connection and that Posthorn runs, then refresh.';
  if (status === 401) return 'Check the key, then sign in again.';
  if (status === 404) return 'Look it up in the list: it may have been deleted, or be past its retention.';
  if (status === 409) return 'Refresh to see how things are now.';
  if (status === 422) return 'Change what is named and try again.';
  if (status === 429 || status === 503) return 'Wait a moment, then try again.';
  return status >= 500 ? 'Try again; if it stays, the log of the process has more.' : '';
}
