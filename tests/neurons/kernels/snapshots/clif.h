#define STATES 2
#define COEFFICIENTS 2
#define SUMS 0
#define KEPT 2
#define BY_CHANNEL 0
static const int granularity[] = {PER_LAYER, PER_LAYER};
static const int sum_granularity[] = {0};

INLINE void step_forward(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *output,
    vec *new_state) {
    const vec v_x = x;
    const vec v_u = state[0];
    const vec v_m = state[1];
    // u = self.charge(u, x)
    const vec v_u_2 = v_u * R(0.5) + v_x;
    // spike = self.spike(u - self.v_th)
    const vec v_spike = truth(v_u_2 - R(1.0) >= R(0.0));
    // m = m * torch.sigmoid(u / self.tau) + spike
    const vec v_m_2 = v_m * vec_sigmoid(v_u_2 / R(2.0)) + v_spike;
    // u = u - spike * (self.v_th + torch.sigmoid(m))
    const vec v_u_3 = v_u_2 - v_spike * (vec_sigmoid(v_m_2) + R(1.0));
    *output = v_spike;
    new_state[0] = v_u_3;
    new_state[1] = v_m_2;
}

INLINE void step_again(
    vec x,
    const vec *state,
    const vec *coefficient,
    vec *new_state,
    vec *kept) {
    const vec v_x = x;
    const vec v_u = state[0];
    const vec v_m = state[1];
    // u = self.charge(u, x)
    const vec v_u_2 = v_u * R(0.5) + v_x;
    // spike = self.spike(u - self.v_th)
    const vec v_spike = truth(v_u_2 - R(1.0) >= R(0.0));
    // m = m * torch.sigmoid(u / self.tau) + spike
    const vec v_1 = vec_sigmoid(v_u_2 / R(2.0));
    const vec v_m_2 = v_m * v_1 + v_spike;
    // u = u - spike * (self.v_th + torch.sigmoid(m))
    const vec v_2 = vec_sigmoid(v_m_2);
    const vec v_u_3 = v_u_2 - v_spike * (v_2 + R(1.0));
    new_state[0] = v_u_3;
    new_state[1] = v_m_2;
    kept[0] = v_1;
    kept[1] = v_2;
}

INLINE void step_backward(
    vec x,
    const vec *state,
    const vec *coefficient,
    const vec *kept,
    vec grad_output,
    const vec *grad_state,
    vec *grad_x,
    vec *new_grad_state,
    vec *sum) {
    const vec v_x = x;
    const vec v_u = state[0];
    const vec v_m = state[1];
    const vec v_mul_surrogate_width = coefficient[0];
    const vec v_div_surrogate_width = coefficient[1];
    const vec v_kept_sigmoid = kept[0];
    const vec v_kept_sigmoid_2 = kept[1];
    const vec v_grad_output = grad_output;
    const vec v_grad_u = grad_state[0];
    const vec v_grad_m = grad_state[1];
    // u = self.charge(u, x)
    const vec v_u_2 = v_u * R(0.5) + v_x;
    // spike = self.spike(u - self.v_th)
    const vec v_1 = v_u_2 - R(1.0);
    const vec v_spike = truth(v_1 >= R(0.0));
    const vec v_2 = -v_grad_u;
    const vec v_3 = v_grad_m + v_2 * v_spike * (v_kept_sigmoid_2 * (R(1.0) - v_kept_sigmoid_2));
    const vec v_4 = v_grad_u + v_3 * v_m * (v_kept_sigmoid * (R(1.0) - v_kept_sigmoid)) / R(2.0) + (v_grad_output + v_2 * (v_kept_sigmoid_2 + R(1.0)) + v_3) * choose(vec_abs(v_1) < v_div_surrogate_width, v_mul_surrogate_width, R(0.0));
    *grad_x = v_4;
    new_grad_state[0] = v_4 * R(0.5);
    new_grad_state[1] = v_3 * v_kept_sigmoid;
}
