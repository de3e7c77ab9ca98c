import { createRouter, createWebHistory } from 'vue-router'
import { recognise } from './api/identity'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', component: () => import('./HomePage.vue') },
    { path: '/enter', component: () => import('./account/EnterPage.vue'), meta: { open: true } },
    { path: '/sign-in', component: () => import('./account/SignInPage.vue'), meta: { open: true } },
    { path: '/set-up', component: () => import('./account/SetUpPage.vue'), meta: { open: true } },
    { path: '/welcome', component: () => import('./account/WelcomePage.vue') },
    { path: '/lessons', component: () => import('./lesson/TodayPage.vue'), meta: { console: true } },
    { path: '/timetable', component: () => import('./timetable/TimetablePage.vue'), meta: { console: true } },
    { path: '/dispatch', component: () => import('./dispatch/DispatchPage.vue'), meta: { console: true } },
    { path: '/reports', component: () => import('./report/ReportsPage.vue'), meta: { console: true } },
    { path: '/reports/:lessonId', component: () => import('./report/LessonReportPage.vue'), props: true, meta: { console: true } },
    { path: '/recordings', component: () => import('./library/LibraryPage.vue'), meta: { console: true } },
    { path: '/organisations', component: () => import('./organisation/OrganisationsPage.vue'), meta: { console: true } },
    { path: '/people', component: () => import('./account/PeoplePage.vue'), meta: { console: true } },
    { path: '/devices', component: () => import('./organisation/DevicesPage.vue'), meta: { console: true } },
    { path: '/storage', component: () => import('./retention/StoragePage.vue'), meta: { console: true } },
    { path: '/tables', component: () => import('./organisation/TablesPage.vue'), meta: { console: true } },
    { path: '/audit', component: () => import('./audit/AuditPage.vue'), meta: { console: true } },
    { path: '/account', component: () => import('./account/AccountPage.vue'), meta: { console: true } },
    { path: '/teach/:lessonId', component: () => import('./teacher/DeskPage.vue'), props: true },
    // The classroom page has its own notices for a missing enrolment or connection.
    { path: '/classroom/:lessonId?', component: () => import('./classroom/WallPage.vue'), props: true, meta: { open: true } },
    // Guests have a token and no cookie.
    { path: '/watch/:lessonId', component: () => import('./watch/WatchPage.vue'), props: true, meta: { open: true } },
    // Links work without an account.
    { path: '/shared', component: () => import('./library/SharedPage.vue'), meta: { open: true } },
    { path: '/replay/:recordingId', component: () => import('./replay/ReplayPage.vue'), props: true },
    { path: '/:rest(.*)*', component: () => import('./NotFoundPage.vue'), meta: { open: true } },
  ],
})

router.beforeEach(async (to) => {
  if (to.meta.open === true)
    return true
  const who = await recognise()
  if (who.kind === 'signed-out')
    return { path: '/sign-in', query: to.fullPath === '/' ? {} : { to: to.fullPath } }
  // Until password and second factor are set as the role needs, only the welcome page is shown.
  if (who.kind === 'signed-in' && who.me.stage === 'set_up' && to.path !== '/welcome')
    return '/welcome'
  return true
})

declare module 'vue-router' {
  interface RouteMeta {
    /** The page works without a signed-in person, or shows its own notice. */
    open?: boolean
    /** Shown in the frame of the console, beside its navigation. */
    console?: boolean
  }
}
