import { Api, CallError } from './api.ts';
import { element } from './element.ts';
import { field, form } from './field.ts';
import { problemBox } from './problem-box.ts';
import type { Session } from './session.ts';

/**
 * The form for a key. @param problem why the reader is asked again; null at first
 * @param onSignedIn gets a key that the API has taken
 */
export function signIn(problem: unknown, onSignedIn: (session: Session) => void): readonly HTMLElement[] {
  const outcome = element('div', {});
  const show = (error: unknown) => outcome.replaceChildren(problemBox(error));
  if (problem !== null) show(problem);
  let attempts = 0;
  const fields = [
    field('API key', 'key', { type: 'password', required: '', maxlength: '512' }),
    field('Tenant id, with a tenant’s key', 'tenant', { type: 'text', maxlength: '64' }),
  ];
  const asked = form('Sign in', 'Sign in', fields, ({ key = '', tenant = '' }) => {
    outcome.replaceChildren();
    const mine = ++attempts;
    // Overtaken by another key, or left: an answer that came late signs nobody in.
    const isCurrent = () => mine === attempts && outcome.isConnected;
    identify(key, tenant).then(
      (session) => isCurrent() && onSignedIn(session),
      (error: unknown) => isCurrent() && show(error),
    );
  });
  return [
    element('h1', { tabindex: '-1' }, 'Sign in'),
    element(
      'p',
      {},
      'An operator key shows all tenants, a tenant’s key its own. The key stays in this tab until you sign out or close it.',
    ),
    outcome,
    asked,
  ];
}

/**
 * Whose key it is: the API tells an operator by what it lets read.
 * @throws CallError when it is no key, or not of that tenant; Error when it is a tenant's and the tenant was not named
 */
async function identify(key: string, tenant: string): Promise<Session> {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Error('No key has such characters in it: copy it again.');
  const asked = new Api(key).call('GET', tenant === '' ? ['tenants'] : ['tenants', tenant], {
    query: tenant === '' ? { limit: 1 } : {},
  });
  const isOperator = await asked.then(
    () => true,
    (error: unknown) => {
      // Another tenant's is 404: 403 means that the tenant is right, and the call not for it.
      if (error instanceof CallError && error.problem.status === 403) return false;
      throw error;
    },
  );
  if (isOperator) return { key, tenant: null };
  if (tenant === '') throw new Error('This is a tenant’s key: give the id of its tenant as well.');
  return { key, tenant };
}
