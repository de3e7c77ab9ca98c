import { createRouter, createWebHistory } from 'vue-router'
import { recognise } from './api/identity'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', component: () => import('./entry/HomePage.vue') },
    { path: '/enter', component: () => import('./entry/EnterPage.vue'), meta: { open: true } },
    { path: '/sign-in', component: () => import('./entry/SignInPage.vue'), meta: { open: true } },
    { path: '/lessons', component: () => import('./lessons/LessonsPage.vue'), meta: { console: true } },
    { path: '/timetable', component: () => import('./timetable/TimetablePage.vue'), meta: { console: true } },
    { path: '/dispatch', component: () => import('./dispatch/DispatchPage.vue'), meta: { console: true } },
    { path: '/teach/:lessonId', component: () => import('./teacher/DeskPage.vue'), props: true },
    // A wall speaks for itself when it is not enrolled or the line is down.
    { path: '/classroom/:lessonId?', component: () => import('./classroom/WallPage.vue'), props: true, meta: { open: true } },
    // Guests hold a token and no cookie.
    { path: '/watch/:lessonId', component: () => import('./watch/WatchPage.vue'), props: true, meta: { open: true } },
    { path: '/replay/:recordingId', component: () => import('./replay/ReplayPage.vue'), props: true },
    { path: '/:rest(.*)*', component: () => import('./entry/NotFoundPage.vue'), meta: { open: true } },
  ],
})

router.beforeEach(async (to) => {
  if (to.meta.open !== true)
    await recognise()
})

declare module 'vue-router' {
  interface RouteMeta {
    /** The page works without a signed-in person, or says itself what is missing. */
    open?: boolean
    /** It stands in the console, beside its ways. */
    console?: boolean
  }
}
