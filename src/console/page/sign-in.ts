import type { OwnKey } from '../logic/api-shapes.ts';
import { Api } from './api.ts';
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
  const fields = [field('API key', 'key', { type: 'password', required: '', maxlength: '512' })];
  const asked = form('Sign in', 'Sign in', fields, ({ key = '' }) => {
    outcome.replaceChildren(element('p', { class: 'fine' }, 'The key is being checked …'));
    const mine = ++attempts;
    // Overtaken by another key, or left: an answer that came late signs nobody in.
    const isCurrent = () => mine === attempts && outcome.isConnected;
    identify(key).then(
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

/** Whose key it is. @throws CallError when it is none; Error when something else answered */
async function identify(key: string): Promise<Session> {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new Error('No key has such characters in it: copy it again.');
  const own = await new Api(key).read<OwnKey | null>(['key']);
  const { kind, tenant_id, scopes } = own ?? {};
  if (kind === 'operator' && Array.isArray(scopes)) return { key, tenant: null, scopes };
  if (kind === 'tenant' && typeof tenant_id === 'string' && Array.isArray(scopes))
    return { key, tenant: tenant_id, scopes };
  throw new Error('Something answered that is not Posthorn: look at what is between.');
}
