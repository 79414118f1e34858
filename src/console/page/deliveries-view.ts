import type { Delivery, Page } from '../logic/api-shapes.ts';
import { deliveriesTable, statusFilter } from './deliveries-table.ts';
import { findInTenant } from './find-form.ts';
import { pager } from './pager.ts';
import { tenantsTrail, tenantTabs } from './tenant-trail.ts';
import { type Opening, type View, view } from './view.ts';

/** The deliveries of a tenant to all its endpoints. */
export function deliveriesView(opening: Opening, tenant: string): View {
  const { api, session, place } = opening;
  const { status, cursor } = place.query;
  const query = { limit: 50, status, cursor };
  return view({
    heading: tenant,
    trail: tenantsTrail(session),
    controls: [tenantTabs(session, tenant, 'deliveries'), findInTenant(opening, tenant)],
    load: (signal) => api.read<Page<Delivery>>(['tenants', tenant, 'deliveries'], { query, signal }),
    render: (page) => [statusFilter(place), deliveriesTable(tenant, page, false), pager(place, page.next)],
  });
}
