import { mount } from 'svelte';
import App from './App.svelte';
import { keepPage } from './lib/offline.svelte.ts';
import './style.css';

const target = document.getElementById('app');
if (target) mount(App, { target });

/** The page works without a connection after the first visit. */
if ('serviceWorker' in navigator && import.meta.env.PROD)
  addEventListener('load', () => void keepPage());
