/** Settings as somebody typed them: an object in JSON, or nothing. @throws Error saying what is wrong */
export function readSettings(text: string): Readonly<Record<string, unknown>> {
  if (text.trim() === '') return {};
  const settings = parsed(text);
  if (typeof settings === 'object' && settings !== null && !Array.isArray(settings)) return { ...settings };
  throw new Error('The other settings are no object: write them as {"rate_limit": {"per_second": 5}}.');
}

/** A filter on such a number would match another one. */
function refuseInexact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const { source = '' } = context ?? {};
  if (typeof value === 'number' && /\d{16,}/.test(source.replace('.', '')))
    throw new Error(`${source} has more digits than a browser keeps. Use the API.`);
  return value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text, refuseInexact);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new Error(`The other settings are no JSON: ${error.message}`);
  }
}
