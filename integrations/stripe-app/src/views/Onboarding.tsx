import React, { useMemo } from 'react';
import type { ExtensionContextValue } from '@stripe/ui-extension-sdk/context';
import { Banner, Box, Button, Inline, OnboardingView, TaskList, TaskListItem } from '@stripe/ui-extension-sdk/ui';
import { backend } from '../backend/client';
import type { Settings } from '../backend/wire';
import { Failure } from '../parts/Failure';
import { Loading } from '../parts/Loading';
import { TestMode } from '../parts/Notes';
import { useLoaded } from '../state/useLoaded';
import { steps } from '../words/onboarding';

/** Right after the installation: the three steps to the first license. */
const Onboarding = ({ userContext, environment }: ExtensionContextValue) => {
  const service = useMemo(() => backend({ userContext, environment }), [userContext, environment]);
  const [state, reload] = useLoaded<Settings>(`onboarding ${environment.mode}`, () => service.read('settings'));
  const connectURL = service.page(`/stripe/oauth/install?mode=${environment.mode}`);
  const consoleURL = service.page('/stripe/console/');
  // Not being connected yet is where everybody begins, and no failure.
  const isNew = state.phase === 'failed' && state.problem.code === 'ACCOUNT_NOT_CONNECTED';
  const settings = state.phase === 'loaded' ? state.data : null;
  const list = steps(settings, { connectURL, consoleURL });
  const isComplete = list.every((step) => step.status === 'complete');

  return (
    <OnboardingView
      title="Set up LicenseKit"
      description="Every sale gives a license, and the license follows the payment."
      completed={isComplete}
    >
      <Box css={{ stack: 'y', gap: 'large' }}>
        <TestMode isTest={environment.mode === 'test'} />
        {state.phase === 'loading' && <Loading what="the state of the setup" />}
        {state.phase === 'failed' && !isNew && (
          <Failure problem={state.problem} onRetry={reload} {...{ connectURL, consoleURL }} />
        )}
        {(settings !== null || isNew) && (
          <>
            {isComplete && (
              <Banner title="You are set" description="Licenses appear beside customers, subscriptions and payments." />
            )}
            <TaskList>
              {list.map((step) => (
                <TaskListItem key={step.title} title={step.title} status={step.status}>
                  <Box css={{ stack: 'y', gap: 'small' }}>
                    <Inline css={{ color: 'secondary' }}>{step.sentence}</Inline>
                    {step.link !== null && (
                      <Box css={{ stack: 'x' }}>
                        <Button size="small" type="primary" href={step.link.href} target="_blank">
                          {step.link.label}
                        </Button>
                      </Box>
                    )}
                  </Box>
                </TaskListItem>
              ))}
            </TaskList>
            <Box css={{ stack: 'x' }}>
              <Button onPress={reload}>Check again</Button>
            </Box>
          </>
        )}
      </Box>
    </OnboardingView>
  );
};

export default Onboarding;
